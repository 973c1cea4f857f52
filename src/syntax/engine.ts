/**
 * Chevrotain's engine as this parser uses it. What is called for each token and each node is done here with as little as it
 * needs: Chevrotain's own methods also serve its recovery, its trees of tokens and its tracing, which this parser never
 * uses.
 */
import type { Token, TokenType } from "./tokens.js";
import * as T from "./tokens.js";

/** The lookahead of a rule, by Chevrotain's key of the choice. */
type Choices = readonly unknown[];
/** A rule as Chevrotain makes it, and its number. */
type Rule<P, R> = T.ParserMethod<[P], R> & { readonly originalGrammarAction: (parameter: P) => R; readonly number: number };

export abstract class Engine extends T.EmbeddedActionsParser {
  /** Chevrotain's index of the last token that was consumed. */
  declare protected currIdx: number;
  declare protected tokVectorLength: number;
  declare protected selfAnalysisDone: boolean;
  declare protected fullRuleNameToShort: Readonly<Record<string, number>>;
  declare protected setLaFuncCache: (rule: number, key: number, lookahead: unknown) => void;
  declare protected lookAheadFuncsCache: readonly Choices[];
  declare protected currRuleLookaheadFuncs: Choices | undefined;
  declare protected tokenMatcher: (token: Token, type: TokenType) => boolean;
  /** Throws what Chevrotain throws for a token that is another one. */
  declare protected consumeInternalError: (type: TokenType, token: Token) => never;

  /** Chevrotain's `RULE` and `OR`, with the type of the node that they give. */
  protected rule<R>(name: string, build: () => R): T.ParserMethod<[], R> {
    return this.numbered(name, this.RULE(name, build));
  }
  protected ruleOf<P, R>(name: string, build: (parameter: P) => R): T.ParserMethod<[P], R> {
    return this.numbered(name, this.RULE(name, build));
  }
  private numbered<M extends object>(name: string, rule: M): M {
    return Object.assign(rule, { number: this.fullRuleNameToShort[name] });
  }
  protected choose<R>(index: number, alternatives: { ALT: () => R }[]): R {
    return this.or(index, alternatives);
  }

  /** What every `SUBRULE` calls. Chevrotain's own error ends the whole parse, so nothing is put back when one passes by. */
  protected subruleInternal<P, R>(rule: Rule<P | undefined, R>, _index: number, options?: { readonly ARGS: readonly [P] }): R {
    const outer = this.currRuleLookaheadFuncs;
    this.currRuleLookaheadFuncs = this.lookAheadFuncsCache[rule.number];
    const made = rule.originalGrammarAction(options?.ARGS[0]);
    this.currRuleLookaheadFuncs = outer;
    return made;
  }
  /** What every `CONSUME` calls. */
  protected consumeInternal(type: TokenType, _index: number): Token {
    const token = this.LA(1);
    if (token.tokenType !== type && !this.tokenMatcher(token, type)) this.consumeInternalError(type, token);
    this.currIdx++;
    return token;
  }
}
