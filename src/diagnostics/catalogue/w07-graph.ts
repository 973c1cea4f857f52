export const graphProblems = {} as const;
