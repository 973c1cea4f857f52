/** The functions behind the standard modules, each loaded when a program uses it. */
import { resolve } from "node:path";
import { failure } from "../../runtime/failure.js";
import type { ToolContext, ToolFunction } from "../../runtime/tool.js";
import type { FileOptions } from "./files.js";

type Module = Readonly<Record<string, ToolFunction>>;

const timeTools: Module = {
  now: (_args, { clock }) => new Date(clock.wall()).toISOString(),
  today: (_args, { clock }) => new Date(clock.wall()).toISOString().slice(0, 10),
  sleep: ({ d }, context) => sleep(Number(d), context),
};

/** Waits on the run's clock, so that virtual time goes on. */
function sleep(ms: number, { clock, signal }: ToolContext): Promise<null> {
  return new Promise((done, reject) => {
    clock.release();
    const end = (finish: () => void): void => {
      clock.hold();
      signal.removeEventListener("abort", onAbort);
      finish();
    };
    const onAbort = (): void => {
      cancelTimer();
      end(() => reject(new DOMException("aborted", "AbortError")));
    };
    const cancelTimer = clock.after(ms, () => end(() => done(null)));
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

const randomTools: Module = {
  random: (_args, { random }) => random(),
  shuffle: ({ xs }, { random }) => shuffled(xs as readonly unknown[], random),
  sample: ({ xs, n }, { random }) => shuffled(xs as readonly unknown[], random).slice(0, Number(n)),
};

function shuffled(xs: readonly unknown[], random: () => number): unknown[] {
  const out = [...xs];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

const logTools: Module = {
  log: ({ message }, { log }) => {
    log(String(message));
    return null;
  },
  emit: ({ name, data }, { emit }) => {
    emit(String(name), data);
    return null;
  },
};

/** A module by its name after `std:`; undefined where there is none. */
export async function standardModule(name: string, options: FileOptions): Promise<Module | undefined> {
  switch (name) {
    case "fs":
      return (await import("./files.js")).fileTools(options);
    case "git":
      return (await import("./git.js")).gitTools(options.directory);
    case "http":
      return (await import("./http.js")).httpTools;
    case "shell": {
      const { runProgram } = await import("./spawn.js");
      const run: ToolFunction = async ({ argv, cwd, input }, { signal }) => {
        const words = (argv as readonly unknown[]).map(String);
        const ended = await runProgram({
          argv: words,
          cwd: typeof cwd === "string" ? resolve(options.directory, cwd) : options.directory,
          input: typeof input === "string" ? input : undefined,
          env: {},
          signal,
        });
        if (!ended.isText || !ended.isErrText)
          throw failure("invalid_output", `${words[0] ?? ""} did not write text in UTF-8 (it ended with code ${ended.code})`, {
            committed: "yes",
          });
        return { code: ended.code, out: ended.out, err: ended.err };
      };
      return { run };
    }
    case "time":
      return timeTools;
    case "random":
      return randomTools;
    case "log":
      return logTools;
    default:
      return undefined;
  }
}
