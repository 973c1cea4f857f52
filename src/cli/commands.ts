/**
 * The commands and their options, and nothing of what they do: each is carried out by a file of its own, loaded when
 * it is called. What a command does not know is an error with a suggestion and exit code 2.
 */
import { Command, CommanderError, Option } from "commander";
import type { EvalOptions } from "./eval.js";
import type { ImportOptions } from "./mcp.js";
import type { ResumeOptions } from "./resume.js";
import type { PruneOptions, StoreOptions } from "./runs.js";
import { EXIT, type ExitCode, type Terminal } from "./terminal.js";
import type { TestOptions } from "./test.js";

/** What the commands that start a flow share. */
export interface RunOptions {
  readonly input?: string;
  readonly model?: readonly string[];
  readonly sim?: boolean;
  readonly simFaults?: string;
  readonly seed?: number;
  readonly json?: boolean;
  readonly events?: boolean;
  readonly allowPath?: readonly string[];
  readonly allowHost?: readonly string[];
  readonly confirmAbove?: number;
  /** False: the run is not kept. */
  readonly store?: string | false;
  readonly reuse?: string;
  readonly grace?: number;
  /** A recording that is written, and one that is replayed. */
  readonly record?: string;
  readonly replay?: string;
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

function number(value: string): number {
  const parsed = Number(value.replace(/^\$/, ""));
  if (value.trim() === "" || !Number.isFinite(parsed))
    throw new CommanderError(EXIT.usage, "weave.number", `error: ${value} is not a number`);
  return parsed;
}

/** Carries out what the arguments say. */
export async function execute(argv: readonly string[], version: string, to: Terminal): Promise<ExitCode> {
  let code: ExitCode = EXIT.done;
  const does =
    <A extends unknown[]>(action: (...args: A) => Promise<ExitCode>) =>
    async (...args: A): Promise<void> => {
      code = await action(...args);
    };

  const program = new Command("weave")
    .description("Checks, draws and runs programs for multi-agent pipelines.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this")
    .helpCommand("help [command]", "print how a command is used")
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ writeOut: to.out, writeErr: to.err })
    .addHelpText("after", "\nStart with `weave init my-project`, or `weave run FILE --sim` to try a program without a key.");

  program
    .command("init [dir]")
    .description("make a small working project")
    .action(does(async (dir: string | undefined) => (await import("./init.js")).init(dir ?? ".", to)));

  program
    .command("check [files...]")
    .description("report every mistake; without files, in all .weave files below this folder")
    .option("--json", "print the problems as data")
    .option("--online", "also compare the declared tools of MCP servers with what the servers have")
    .option("-w, --watch", "check again whenever a file changes")
    .action(
      does(async (files: string[], options: { json?: boolean; watch?: boolean; online?: boolean }) =>
        (await import("./check.js")).check(files, options, to),
      ),
    );

  program
    .command("fmt [files...]")
    .description("format; `-` formats standard input")
    .option("--check", "write nothing, fail when something is not formatted")
    .action(does(async (files: string[], options: { check?: boolean }) => (await import("./fmt.js")).fmt(files, options, to)));

  program
    .command("graph <file> [flow]")
    .description("draw what a flow does")
    .addOption(new Option("-f, --format <format>", "the kind of drawing").choices(["mermaid", "dot", "svg", "json"]).default("mermaid"))
    .option("-o, --out <file>", "write it to a file")
    .action(
      does(async (file: string, flow: string | undefined, options: { format: "mermaid" | "dot" | "svg" | "json"; out?: string }) =>
        (await import("./graph.js")).graph(file, flow, options, to),
      ),
    );

  withInputs(program.command("plan <file> [flow]"))
    .description("show the steps of a flow and their numbers, without a call")
    .option("--tree", "show which call contributes what, the dearest first")
    .option("--reuse <run>", "show what would be taken from another run")
    .option("--store <file>", "the store that knows earlier runs")
    .option("--json", "print the plan as data")
    .action(
      does(async (file: string, flow: string | undefined, options: RunOptions & { tree?: boolean }, command: Command) =>
        (await import("./plan.js")).plan(file, named(flow), rest(command, flow), options, to),
      ),
    );

  withOutside(withInputs(program.command("run <file> [flow]")))
    .description("run a flow; its parameters are options: --dir src --size 10000")
    .option("--confirm-above <usd>", "ask before a run that may cost more, at a terminal; $1.00 unless told", number)
    .option("--reuse <run>", "use results of another run where definition and inputs are the same")
    .option("--record <file>", "write what models, tools and people answer to a recording")
    .option("--replay <file>", "answer from a recording; with --record, ask only for what is missing")
    .option("--store <file>", "keep the run in this store")
    .option("--no-store", "do not keep the run: it cannot be resumed")
    .option("--grace <seconds>", "how long effects in flight are awaited after SIGTERM; 10 unless told", number)
    .option("--json", "print one JSON object with the result and what it cost")
    .option("--events", "print every event as a line of JSON")
    .action(
      does(async (file: string, flow: string | undefined, options: RunOptions, command: Command) =>
        (await import("./run.js")).runFlow(file, named(flow), rest(command, flow), options, to),
      ),
    );

  program
    .command("resume [run]")
    .description("carry on a run that was cut off, stopped, failed or waits; the newest one unless named")
    .option("--edited", "with the program as it is now: what changed runs again, the rest is reused")
    .option("--keep <path>", "with --edited: go on with what this effect gave, although it changed", collect)
    .option("--again <path>", "with --edited: carry this changed effect out again", collect)
    .option("--grace <seconds>", "how long effects in flight are awaited after SIGTERM; 10 unless told", number)
    .option("--store <file>", "the store that keeps the run")
    .option("--json", "print one JSON object with the result and what it cost")
    .option("--events", "print every event as a line of JSON")
    .action(does(async (run: string | undefined, options: ResumeOptions) => (await import("./resume.js")).resume(run, options, to)));

  program
    .command("runs [prune]")
    .description("list the runs that are kept, newest first; `runs prune` deletes old ones")
    .option("--limit <n>", "how many; 20 unless told", number)
    .option("--older-than <days>", "prune: runs that ended more days ago than this; 30 unless told", number)
    .option("--keep <n>", "prune: never delete the newest so many", number)
    .option("--always", "prune: also from now on, whenever a run ends")
    .option("--never", "prune: from now on delete nothing by itself")
    .option("--store <file>", "the store to look in")
    .option("--json", "print them as data")
    .action(
      does(async (action: string | undefined, options: StoreOptions & PruneOptions & { limit?: number }) =>
        (await import("./runs.js")).runs(action, options, to),
      ),
    );

  program
    .command("show [run]")
    .description("show what happened in a run; the newest unless named")
    .option("--json", "print what `weave run --json` printed")
    .option("--events", "print every event as a line of JSON")
    .option("--store <file>", "the store to look in")
    .action(
      does(async (run: string | undefined, options: StoreOptions & { events?: boolean }) =>
        (await import("./runs.js")).show(run, options, to),
      ),
    );

  program
    .command("why <run> [call]")
    .description("say why calls ran, ran again or were reused")
    .option("--store <file>", "the store to look in")
    .action(
      does(async (run: string, path: string | undefined, options: StoreOptions) =>
        (await import("./runs.js")).whyRan(run, path, options, to),
      ),
    );

  program
    .command("diff <first> <second>")
    .description("compare two runs, call by call")
    .option("--store <file>", "the store to look in")
    .option("--json", "print the differences as data")
    .action(
      does(async (first: string, second: string, options: StoreOptions) => (await import("./runs.js")).diff(first, second, options, to)),
    );

  program
    .command("pause [run]")
    .description("let what a run is doing end, and stop it there")
    .option("--store <file>", "the store to look in")
    .action(does(async (run: string | undefined, options: StoreOptions) => (await import("./runs.js")).pause(run, options, to)));

  program
    .command("cancel [run]")
    .description("end a run for good and undo what it can undo")
    .option("--store <file>", "the store to look in")
    .action(does(async (run: string | undefined, options: StoreOptions) => (await import("./runs.js")).cancel(run, options, to)));

  program
    .command("answer <run> <words...>")
    .usage("[options] <run> [question] <answer>")
    .description("answer a question of a run; the question need only be named where there are several")
    .option("--value <json>", "what an effect gave that did happen")
    .option("--store <file>", "the store to look in")
    .action(
      does(async (run: string, words: string[], options: StoreOptions & { value?: string }) =>
        (await import("./runs.js")).answer(run, words, options, to),
      ),
    );

  program
    .command("doctor")
    .description("check the store of runs")
    .option("--repair", "copy what can be read into a new file and keep the damaged one beside it")
    .option("--store <file>", "the store to look in")
    .action(does(async (options: StoreOptions & { repair?: boolean }) => (await import("./runs.js")).doctor(options, to)));

  program
    .command("test [files...]")
    .description("run the tests in .weave files, offline and in virtual time")
    .option("--filter <text>", "only tests whose title holds the text")
    .option("--json", "print the results as data")
    .option("--junit <file>", "write a report that build servers read")
    .option("--coverage", "list the agents, arms, recover branches and fallbacks that no test reached")
    .option("--record", "ask for what is neither stubbed nor recorded, and write it to the recording beside the file")
    .option("--update", "the same, and drop from the recording what no test asks for any more")
    .option("-w, --watch", "test again whenever a file changes")
    .action(does(async (files: string[], options: TestOptions) => (await import("./test.js")).test(files, options, to)));

  withOutside(
    program
      .command("eval [file] [flow]")
      .description("run a flow over the cases of a dataset, score, grade and compare; without a file, list what was evaluated")
      .option("--data <file>", "the cases: JSON Lines or CSV, with a field for each parameter and `expected`")
      .option("--score <scorer>", "exact, contains, numeric:TOLERANCE, schema:TYPE or judge:NAME; a field may follow: exact.label", collect)
      .option("--repeat <n>", "run each case so often", number)
      .option("--threshold <x>", "the score from which a run passes; 0.5 unless told", number)
      .option("--parallel <n>", "runs at once; 4 unless told", number)
      .option("--budget <usd>", "what all runs and judges may cost together", number)
      .option("--target-time <seconds>", "what a run should stay within, for the grade", number)
      .option("--target-cost <usd>", "what a run should cost, for the grade", number)
      .option("--baseline <id>", "compare with this evaluation; the last one unless told, `none` for none")
      .option("--require <grade>", "fail when the grade is below: excellent, good, fair or poor")
      .option("--ignore <figure>", "no grade and no regression by score, errors, time or cost; may be repeated", collect)
      .option("--resume [id]", "go on with an evaluation that was stopped"),
  )
    .option("--record <file>", "write what models and tools answer to a recording")
    .option("--replay <file>", "answer from a recording; with --record, ask only for what is missing")
    .option("--store <file>", "keep the evaluation in this store")
    .option("--json", "print everything as data")
    .action(
      does(async (file: string | undefined, flow: string | undefined, options: EvalOptions) =>
        (await import("./eval.js")).evaluate(file, flow, options, to),
      ),
    );

  program
    .command("dump")
    .description("show how the compiler sees a file")
    .argument("<stage>", "tokens, ast, names, types or graph")
    .argument("<file>")
    .action(does(async (stage: string, file: string) => (await import("./dump.js")).dump(stage, file, to)));

  program
    .command("explain <code>")
    .description("print the page of a diagnostic, for example W0310")
    .action(does(async (name: string) => (await import("./explain.js")).explain(name, to)));

  program
    .command("models [file]")
    .description("list the models of the standard library, or those a program uses, with their prices")
    .option("--json", "print them as data")
    .action(does(async (file: string | undefined, options: { json?: boolean }) => (await import("./models.js")).models(file, options, to)));

  const mcp = program.command("mcp").description("tools of MCP servers");
  mcp
    .command("import <target...>")
    .description("write the declarations of a server's tools")
    .usage("[options] <url | program [argument]... | file.weave [server]>")
    .option("--name <name>", "what the server is called in the program")
    .option("--only <tool>", "only this tool; may be repeated", collect)
    .option("--env <NAME>", "give the program this variable of the environment, as a secret; may be repeated", collect)
    .option("--header <Name=NAME>", "send this header, from a variable of the environment, as a secret; may be repeated", collect)
    .option("-o, --out <file>", "write them to a new file")
    .passThroughOptions()
    .addHelpText(
      "after",
      "\nExamples:\n  weave mcp import npx -y @modelcontextprotocol/server-everything\n  weave mcp import --env GITHUB_TOKEN --name github npx -y @modelcontextprotocol/server-github\n  weave mcp import --header Authorization=TOKEN https://example.com/mcp\n  weave mcp import main.weave github",
    )
    .action(does(async (target: string[], options: ImportOptions) => (await import("./mcp.js")).importTools(target, options, to)));

  for (const command of program.commands) command.configureOutput(program.configureOutput()).helpOption("-h, --help", "print this");
  for (const command of mcp.commands) command.configureOutput(program.configureOutput()).helpOption("-h, --help", "print this");

  if (argv.length === 0) {
    to.err(program.helpInformation());
    return EXIT.usage;
  }
  try {
    await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "weave.number") to.err(`${error.message}\n`);
    return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  return code;
}

/** What a run gets from outside, in the commands that make real ones. */
function withOutside(command: Command): Command {
  return command
    .option("--sim", "answer every agent from the simulator: no key, no network, no cost")
    .option("--sim-faults <kinds>", "let the simulator fail, for example rate_limit:5%,timeout:1%")
    .option("--seed <n>", "seed of the simulator and of random numbers", number)
    .option("--model <name=provider/model>", "use another model", collect)
    .option("--allow-path <dir>", "let file tools reach outside the project", collect)
    .option("--allow-host <host>", "let images and documents come from a host that is not public, as name or name:port", collect);
}

/** A flow's parameters are options that are known only when the file has been read. */
function withInputs(command: Command): Command {
  return command
    .option("--input <file>", "inputs as a JSON object; `-` reads standard input")
    .allowUnknownOption()
    .allowExcessArguments()
    .usage("[options] <file> [flow] [--parameter value]...")
    .addHelpText("after", "\nA parameter with the name of an option stands after `--`: weave run FILE -- --model fast");
}

/** What stands in the flow's place is an input when it begins with a dash. */
const named = (flow: string | undefined): string | undefined => (flow?.startsWith("-") ? undefined : flow);

/** What stands after the file and the flow. */
const rest = (command: Command, flow: string | undefined): readonly string[] => command.args.slice(named(flow) === undefined ? 1 : 2);
