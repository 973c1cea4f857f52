export const templateProblems = {} as const;
