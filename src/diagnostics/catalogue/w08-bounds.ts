export const boundProblems = {} as const;
