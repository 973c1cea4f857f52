export const effectProblems = {} as const;
