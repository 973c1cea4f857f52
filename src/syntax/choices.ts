/** Which tokens begin what, by rule and Chevrotain's key of the choice; `lookahead.ts` reads it. Made by `npm run grammar`. */
// biome-ignore format: made
export const CHOICES: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  annotation: {
    512: "LParen?",
  },
  arguments: {
    769: "Word Dot Not Minus At Name Number String Regex Kw_true Kw_false Kw_null LParen LBracket LBrace Kw_if Kw_match Kw_settle Kw_map Kw_fork Kw_race Kw_vote Kw_loop Kw_reduce Kw_try Kw_ask Kw_send Kw_orchestrate?",
    514: "Word?",
    256: "Dot|Not Minus At Name Number String Regex Kw_true Kw_false Kw_null LParen LBracket LBrace Kw_if Kw_match Kw_settle Kw_map Kw_fork Kw_race Kw_vote Kw_loop Kw_reduce Kw_try Kw_ask Kw_send Kw_orchestrate",
    771: "Dot?",
    513: "Comma?",
  },
  type: {
    512: "Bar?",
    768: "Bar?",
  },
  typePostfix: {
    512: "Kw_secret Kw_untrusted?",
    256: "Kw_secret|Kw_untrusted",
    258: "Name|Kw_map|String|Minus Number|Kw_true|Kw_false|Kw_null|LBrace|LParen",
    545: "Minus?",
    788: "At Word String?",
    771: "At?",
    277: "Word|String",
    532: "Comma?",
    769: "LBracket Question?",
    257: "LBracket|Question",
    513: "Minus Number DotDot?",
  },
  namedType: {
    512: "Less?",
    768: "Comma?",
    513: "LParen?",
    256: "Regex|Minus Number DotDot",
  },
  callableType: {
    769: "Bar Kw_secret Kw_untrusted Name Kw_map String Minus Number Kw_true Kw_false Kw_null LBrace LParen?",
    513: "Comma?",
    512: "Arrow?",
  },
  bounds: {
    256: "Minus Number|DotDot",
    543: "Minus?",
    512: "DotDot?",
    513: "Minus Number?",
    544: "Minus?",
    545: "Minus?",
  },
  braces: {
    768: "Ellipsis Word String?",
    512: "Comma?",
    769: "Kw_let Kw_set Kw_assert Kw_stop Kw_next Not Minus At Name Number String Regex Kw_true Kw_false Kw_null LParen LBracket LBrace Kw_if Kw_match Kw_settle Kw_map Kw_fork Kw_race Kw_vote Kw_loop Kw_reduce Kw_try Kw_ask Kw_send Kw_orchestrate?",
  },
  entry: {
    256: "Ellipsis|Word String",
    257: "Word|String",
    513: "Colon?",
  },
  statement: {
    256: "Kw_let|Kw_set|Kw_assert|Kw_stop|Kw_next|Not Minus At Name Number String Regex Kw_true Kw_false Kw_null LParen LBracket LBrace Kw_if Kw_match Kw_settle Kw_map Kw_fork Kw_race Kw_vote Kw_loop Kw_reduce Kw_try Kw_ask Kw_send Kw_orchestrate",
    512: "Comma?",
  },
  letStatement: {
    256: "LBrace|Name",
    788: "Name?",
    532: "Comma?",
    513: "Colon?",
  },
  expression: {
    768: "Infix Kw_as Pipe?",
    256: "Infix|Kw_as|Pipe",
  },
  operand: {
    768: "Not Minus?",
    256: "Not|Minus",
    769: "At?",
    257: "Name|Number|String|Regex|Kw_true|Kw_false|Kw_null|LParen|LBracket|LBrace|Kw_if|Kw_match|Kw_settle|Kw_map|Kw_fork|Kw_race|Kw_vote|Kw_loop|Kw_reduce|Kw_try|Kw_ask|Kw_send|Kw_orchestrate",
    512: "FatArrow?",
    770: "Dot QuestionDot LParen LBracket?",
    258: "Dot|QuestionDot|LParen|LBracket",
  },
  parens: {
    768: "Name?",
    512: "Comma?",
    513: "Not Minus At Name Number String Regex Kw_true Kw_false Kw_null LParen LBracket LBrace Kw_if Kw_match Kw_settle Kw_map Kw_fork Kw_race Kw_vote Kw_loop Kw_reduce Kw_try Kw_ask Kw_send Kw_orchestrate?",
    514: "FatArrow?",
  },
  list: {
    769: "Ellipsis Not Minus At Name Number String Regex Kw_true Kw_false Kw_null LParen LBracket LBrace Kw_if Kw_match Kw_settle Kw_map Kw_fork Kw_race Kw_vote Kw_loop Kw_reduce Kw_try Kw_ask Kw_send Kw_orchestrate?",
    514: "Ellipsis?",
    513: "Comma?",
  },
  if: {
    768: "Kw_else?",
    512: "Kw_if?",
  },
  match: {
    788: "String Minus Number DotDot Kw_true Kw_false Kw_null Name LBrace?",
    532: "Comma?",
  },
  arm: {
    768: "Bar?",
  },
  pattern: {
    256: "String|Minus Number DotDot|Kw_true|Kw_false|Kw_null|Name|LBrace",
    788: "Word String?",
    258: "Word|String",
    513: "Colon?",
    532: "Comma?",
  },
  map: {
    512: "Comma?",
    768: "Kw_where Kw_by Kw_after?",
    256: "Kw_where|Kw_by|Kw_after",
    513: "Kw_giving?",
  },
  fork: {
    788: "Word String?",
    257: "Word|String",
    532: "Comma?",
  },
  race: {
    788: "Not Minus At Name Number String Regex Kw_true Kw_false Kw_null LParen LBracket LBrace Kw_if Kw_match Kw_settle Kw_map Kw_fork Kw_race Kw_vote Kw_loop Kw_reduce Kw_try Kw_ask Kw_send Kw_orchestrate?",
    532: "Comma?",
  },
  vote: {
    512: "Kw_by?",
    513: "Kw_early?",
  },
  loop: {
    514: "Colon?",
  },
  reduce: {
    512: "Kw_in?",
  },
  ask: {
    512: "Kw_within?",
  },
  stage: {
    768: "At?",
    512: "LParen?",
  },
  module: {
    768: "Kw_import At Kw_type Kw_model Kw_mcp Kw_effect Kw_tool Kw_agent Kw_flow Kw_capability Kw_compose Kw_policy Kw_let Kw_state Kw_channel Kw_on Kw_test?",
    256: "Kw_import|At Kw_type Kw_model Kw_mcp Kw_effect Kw_tool Kw_agent Kw_flow Kw_capability Kw_compose Kw_policy Kw_let Kw_state Kw_channel Kw_on Kw_test",
  },
  import: {
    769: "Name?",
    512: "Kw_as?",
    513: "Comma?",
  },
  declaration: {
    768: "At?",
    256: "Kw_type|Kw_model|Kw_mcp|Kw_effect Kw_tool|Kw_agent|Kw_flow|Kw_capability|Kw_compose|Kw_policy|Kw_let|Kw_state|Kw_channel|Kw_on|Kw_test",
  },
  typeDeclaration: {
    514: "Less?",
    770: "Comma?",
  },
  toolDeclaration: {
    512: "Kw_effect?",
  },
  composeDeclaration: {
    768: "Greater?",
  },
  policyDeclaration: {
    768: "At?",
  },
  letDeclaration: {
    514: "Colon?",
  },
  stateDeclaration: {
    512: "LBrace?",
  },
  channelDeclaration: {
    512: "Arrow?",
  },
  onDeclaration: {
    512: "Dot?",
  },
  testDeclaration: {
    768: "Kw_stub Kw_expect Kw_crash Kw_let Kw_set Kw_assert Kw_stop Kw_next Not Minus At Name Number String Regex Kw_true Kw_false Kw_null LParen LBracket LBrace Kw_if Kw_match Kw_settle Kw_map Kw_fork Kw_race Kw_vote Kw_loop Kw_reduce Kw_try Kw_ask Kw_send Kw_orchestrate *?",
  },
  signature: {
    514: "Less?",
    770: "Comma?",
    771: "At Name?",
    515: "Comma?",
    516: "Arrow?",
    517: "Kw_implements?",
  },
  parameter: {
    768: "At?",
    512: "Assign?",
  },
  properties: {
    769: "Word?",
    513: "Comma?",
  },
  testStatement: {
    512: "Kw_stub Kw_expect Kw_crash?",
    256: "Kw_stub|Kw_expect|Kw_crash",
    257: "Kw_after|Kw_before",
    513: "Kw_let Kw_set Kw_assert Kw_stop Kw_next Not Minus At Name Number String Regex Kw_true Kw_false Kw_null LParen LBracket LBrace Kw_if Kw_match Kw_settle Kw_map Kw_fork Kw_race Kw_vote Kw_loop Kw_reduce Kw_try Kw_ask Kw_send Kw_orchestrate?",
  },
  stub: {
    514: "LParen?",
    788: "Name?",
    532: "Comma?",
    768: "Kw_then?",
  },
  stubStep: {
    256: "FatArrow|Kw_fails",
    512: "Kw_one_of?",
    513: "Kw_times?",
    768: "Kw_takes Kw_costs?",
    257: "Kw_takes|Kw_costs",
  },
  expect: {
    512: "Kw_order?",
    513: "Kw_fails?",
  },
};
