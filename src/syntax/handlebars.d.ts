/** The parser of Handlebars alone; the package types only its main entry. */
declare module "handlebars/dist/cjs/handlebars/compiler/base.js" {
  export function parse(input: string): unknown;
}
