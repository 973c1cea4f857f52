export const lintProblems = {} as const;
