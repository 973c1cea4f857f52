export const nameProblems = {} as const;
