export const typeProblems = {} as const;
