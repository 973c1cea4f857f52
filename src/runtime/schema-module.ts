/** The explaining half of validation (zod), loaded only when something needs an explanation or a JSON Schema. */
export type SchemaModule = typeof import("./schema.js");
