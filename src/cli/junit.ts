/** Results of tests in JUnit's XML, which build servers read. */
import { placeOf, type TestedFile } from "./tested.js";

/** The report of some files. */
export function junit(tested: readonly TestedFile[]): string {
  const suites = tested.filter(({ results }) => results.length > 0).map(suite);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join("\n")}\n</testsuites>\n`;
}

function suite({ path, compiled, results }: TestedFile): string {
  const failed = results.filter((result) => result.status === "failed").length;
  const cases = results.map((result) => {
    const head = `    <testcase classname="${xml(path)}" name="${xml(result.title)}" time="${(result.elapsedMs / 1000).toFixed(3)}"`;
    if (result.status === "passed") return `${head}/>`;
    const reasons = [
      ...result.problems.map((problem) => `${problem.code}: ${problem.title}`),
      ...result.unmet.map((unmet) => `${placeOf(unmet.span, compiled)}: ${unmet.text}\n${unmet.message}`),
    ];
    const first = reasons[0]?.split("\n")[0] ?? "failed";
    return `${head}>\n      <failure message="${xml(first)}">${xml(reasons.join("\n\n"))}</failure>\n    </testcase>`;
  });
  return `  <testsuite name="${xml(path)}" tests="${results.length}" failures="${failed}">\n${cases.join("\n")}\n  </testsuite>`;
}

const SIGNS: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text as XML; characters that XML cannot hold become the replacement character. */
function xml(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => SIGNS[sign] ?? sign).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
}
