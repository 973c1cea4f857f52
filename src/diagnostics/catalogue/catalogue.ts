/**
 * Every diagnostic, once. A family has a file of its own; a code is never used again for something else. Families:
 * W01 syntax, W02 names, W03 types, W04 templates, W05 annotations, W06 effects and flow, W07 graph, W08 bounds,
 * W09 run time, W10 lints. Each code has a page in `docs/errors`.
 */
import { syntaxProblems } from "./w01-syntax.js";
import { nameProblems } from "./w02-names.js";
import { typeProblems } from "./w03-types.js";
import { templateProblems } from "./w04-templates.js";
import { annotationProblems } from "./w05-annotations.js";
import { propertyProblems } from "./w05-properties.js";
import { effectProblems } from "./w06-effects.js";
import { graphProblems } from "./w07-graph.js";
import { boundProblems } from "./w08-bounds.js";
import { onlineProblems } from "./w09-online.js";
import { runProblems } from "./w09-run.js";
import { useProblems } from "./w09-use.js";
import { lintProblems } from "./w10-lints.js";

export const d = {
  ...syntaxProblems,
  ...nameProblems,
  ...typeProblems,
  ...templateProblems,
  ...annotationProblems,
  ...propertyProblems,
  ...effectProblems,
  ...graphProblems,
  ...boundProblems,
  ...runProblems,
  ...useProblems,
  ...onlineProblems,
  ...lintProblems,
} as const;
