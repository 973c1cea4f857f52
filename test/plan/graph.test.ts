/** The graph of a flow: checked, ordered, measured, drawn. */
import { describe, expect, test } from "vitest";
import { problems } from "../../src/diagnostics/problems.js";
import { dot, drawingJson, mermaid } from "../../src/plan/draw.js";
import { drawingOf } from "../../src/plan/drawing.js";
import { checkGraph, criticalPath, topologicalOrder } from "../../src/plan/graph.js";
import type { Body } from "../../src/plan/ir.js";
import { layered } from "../../src/plan/layout.js";
import { svg } from "../../src/plan/svg.js";
import { body, call, constant, flow, fork, graphOf, map } from "../support/graphs.js";

function codesOf(inner: Body): string[] {
  const found = problems();
  checkGraph(graphOf(flow(inner)), found);
  return found.list().map((problem) => problem.code);
}

const delivery = body([
  fork("scouted", { frontend: body([call("Scout", { args: ["goal"] })]), backend: body([call("Scout", { args: ["goal"] })]) }),
  call("MakePlan", { deps: ["scouted"], args: ["goal"] }),
  map("changes", "MakePlan", body([call("Build"), call("Check", { deps: ["Build"] })]), {
    deps: ["MakePlan"],
    policies: { parallel: { max: constant(4) }, minSuccess: { value: constant(0.8), share: true } },
  }),
  call("Review", { deps: ["changes"], args: ["goal"] }),
]);

describe("a lowered graph", () => {
  test("of a sound flow has no problems", () => {
    expect(codesOf(delivery)).toEqual([]);
  });

  test("whose steps wait for each other is refused, with the cycle", () => {
    const found = problems();
    checkGraph(
      graphOf(flow(body([call("a", { after: ["c"] }), call("b", { deps: ["a"] }), call("c", { deps: ["b"] }), call("d")]))),
      found,
    );
    expect(found.list().map((problem) => [problem.code, problem.help])).toEqual([
      ["W0701", "The order would be `a` → `b` → `c` → `a`. Take one `@after` out, or use a value only below the step that makes it."],
    ]);
  });

  test("with a step that waits for one further down is sound", () => {
    expect(codesOf(body([call("a", { after: ["b"] }), call("b")]))).toEqual([]);
  });

  test("with a step that is not there is a mistake of the compiler", () => {
    expect(codesOf(body([call("a", { deps: ["x"] })]))).toEqual(["W0702"]);
  });

  test("in which a needed step would not start is a mistake of the compiler", () => {
    expect(codesOf(body([{ ...call("a"), needed: false }, call("b", { deps: ["a"] })]))).toEqual(["W0703"]);
  });

  test("is checked inside its regions", () => {
    expect(codesOf(body([map("m", "goal", body([call("a", { deps: ["x"] })]))]))).toEqual(["W0702"]);
  });

  test("is ordered by what waits for what", () => {
    const inner = body([call("a", { after: ["b"] }), call("b"), call("c", { deps: ["a"] })]);
    expect(topologicalOrder(inner).map((node) => node.id)).toEqual(["b", "a", "c"]);
  });

  test("of a chain of 20,000 steps is checked and ordered", () => {
    const chain = body(Array.from({ length: 20_000 }, (_, i) => call(`n${i}`, { deps: i === 0 ? [] : [`n${i - 1}`] })));
    expect(codesOf(chain)).toEqual([]);
    expect(criticalPath(chain).length).toBe(20_000);
  });

  test("has a critical path through its regions", () => {
    expect(criticalPath(delivery)).toEqual({ length: 5, steps: ["scouted", "MakePlan", "changes", "Review"] });
  });
});

describe("a drawing", () => {
  const drawing = drawingOf(graphOf(flow(delivery)), flow(delivery, { budget: { cost: constant(5) } }));

  test("shows steps, regions with their parts, inputs and the result", () => {
    expect(mermaid(drawing)).toBe(`flowchart TD
  s9(["goal: string"])
  subgraph s1["fork scouted"]
    subgraph s1p0["frontend"]
      s5["Scout<br/>agent"]:::agent
    end
    subgraph s1p1["backend"]
      s6["Scout<br/>agent"]:::agent
    end
  end
  s2["MakePlan<br/>agent"]:::agent
  subgraph s3["map changes<br/>over MakePlan<br/>≤ 4 at once<br/>≥ 80 %"]
    s7["Build<br/>agent"]:::agent
    s8["Check<br/>agent"]:::agent
    s7 ==> s8
  end
  s4["Review<br/>agent"]:::agent
  s10(["string"])
  s1 ==> s2
  s2 ==> s3
  s3 ==> s4
  s9 ==> s1
  s4 ==> s10
  classDef agent fill:#eef2ff,stroke:#6366f1,color:#312e81
  classDef tool fill:#ecfdf5,stroke:#10b981,color:#064e3b
  classDef effect fill:#fff7ed,stroke:#f97316,color:#7c2d12
  classDef guard fill:#fefce8,stroke:#ca8a04,color:#713f12
`);
  });

  test("in DOT joins clusters", () => {
    expect(dot(drawing)).toContain("s1 -> s2 [ltail=cluster_s1");
  });

  test("as JSON names the nodes of the graph", () => {
    const data: { steps: { node?: string }[] } = JSON.parse(drawingJson(drawing));
    expect(data.steps.map((step) => step.node)).toEqual([undefined, "scouted", "MakePlan", "changes", "Review", undefined]);
  });

  test("as SVG is well formed and has every step", () => {
    const picture = svg(drawing);
    for (const title of ["Scout", "MakePlan", "Build", "Check", "Review", "fork scouted", "≤ 4 at once"]) expect(picture).toContain(title);
    expect(picture.match(/<(?:svg|defs|marker|text)\b/g)?.length).toBe(picture.match(/<\/(?:svg|defs|marker|text)>/g)?.length);
  });
});

describe("the layout", () => {
  const box = (id: string) => ({ id, width: 80, height: 30 });
  const spacing = { across: 20, down: 30, widest: 500 };

  test("puts each box below what it depends on, and none over another", () => {
    const boxes = Array.from({ length: 40 }, (_, i) => box(`b${i}`));
    const links = boxes.flatMap((_, i) => (i < 5 ? [] : [i - 5, (i * 7) % (i - 1)].map((from) => ({ from: `b${from}`, to: `b${i}` }))));
    const { at } = layered(boxes, links, spacing);
    for (const { from, to } of links) expect((at.get(to)?.y ?? 0) - (at.get(from)?.y ?? 0)).toBeGreaterThanOrEqual(60);
    const spots = [...at.values()];
    for (const [i, a] of spots.entries()) {
      for (const b of spots.slice(i + 1)) expect(Math.abs(a.x - b.x) >= 80 || Math.abs(a.y - b.y) >= 30).toBe(true);
    }
  });

  test("continues a wide layer in the next one", () => {
    const { width } = layered(
      Array.from({ length: 30 }, (_, i) => box(`b${i}`)),
      [],
      spacing,
    );
    expect(width).toBeLessThanOrEqual(500);
  });

  test("keeps a chain straight", () => {
    const { at } = layered(
      [box("a"), box("b"), box("c")],
      [
        { from: "a", to: "b" },
        { from: "b", to: "c" },
      ],
      spacing,
    );
    expect(new Set([...at.values()].map((point) => point.x)).size).toBe(1);
  });

  test("survives links that lead nowhere, loops and nothing at all", () => {
    expect(layered([], [], spacing)).toMatchObject({ width: 0, height: 0 });
    const { routes } = layered(
      [box("a"), box("b")],
      [
        { from: "a", to: "x" },
        { from: "a", to: "a" },
        { from: "a", to: "b" },
        { from: "b", to: "a" },
      ],
      spacing,
    );
    expect(routes.slice(0, 2)).toEqual([undefined, undefined]);
  });
});
