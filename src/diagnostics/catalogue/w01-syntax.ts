export const syntaxProblems = {} as const;
