export const annotationProblems = {} as const;
