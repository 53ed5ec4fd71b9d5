// A child of the conformance suite: it runs programs on js-pytorch and tells what was seen, one JSON object a line.
// For another engine, write another ops.js and change what stands under "The engine" here; the rest can stay as it is.

import { readFileSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { torch } from "js-pytorch";
import { OPS, withAxis } from "./ops.js";
import { scriptOf } from "./script.js";

console.log = console.warn = console.error; // standard output belongs to the protocol

class Unsupported extends Error {}
const lacks = (what) => {
  throw new Unsupported(`js-pytorch has no ${what}`);
};

// -- The engine ----------------------------------------------------------------------------------------------------------

const PACKAGE = JSON.parse(readFileSync(new URL("node_modules/js-pytorch/package.json", import.meta.url)));
const CAPABILITIES = {
  ops: Object.keys(OPS),
  dtypes: ["float64", "int64", "bool"], // its numbers are all float64; the others are needed for indices and masks
  steps: ["leaf", "apply", "detach", "backward", "copy", "zero_grad", "drop"],
  facets: ["value", "shape", "requires_grad", "grad"],
  traits: ["accumulation", "unsaved-graphs"], // a gradient that never came is zeros, and every tensor keeps its own
  schedules: ["thorough"],
  scripts: true,
};
const CATEGORIES = [[/requires_grad set to False/, "root-without-grad"]]; // text of its errors -> category; others: "other"

const PARAMETERS = "{ value, exponent, dim, dim0, dim1, shape, places, rows, columns } = {}";
for (const row of Object.values(OPS)) row.call = new Function("torch", "a", "b", "c", PARAMETERS, `return ${row.code}`);

const nested = (values, shape) => {
  if (shape.length < 2) return values;
  const inner = values.length / shape[0];
  return Array.from({ length: shape[0] }, (_, i) => nested(values.slice(i * inner, (i + 1) * inner), shape.slice(1)));
};

// It has no 0-dim tensors: where a program has one, a tensor of shape [1] stands for it, with `point` set.
const pointed = (tensor, point) => Object.assign(tensor, { point });
const shown = (data, point) => (point ? data[0] : data);
const make = (values, shape, flag = false) => {
  if (shape.includes(0)) lacks("tensors without elements");
  return pointed(new torch.Tensor(nested([...values], shape), flag), shape.length === 0);
};

const LOOK = {
  value: (t) => shown(t.data, t.point),
  shape: (t) => (t.point ? [] : t.shape),
  requires_grad: (t) => t.requires_grad,
};

// The steps. `slots` maps slot -> tensor; `keepers` are the slots whose gradients are looked at.
const STEPS = {
  leaf({ slots, keepers }, { out, shape, values, dtype = "float64", requires_grad }) {
    if (!CAPABILITIES.dtypes.includes(dtype)) lacks(`leaves of ${dtype}`);
    if (requires_grad) keepers.add(out);
    slots.set(out, make(values, shape, requires_grad));
  },
  apply({ slots }, { op, inputs, outs, params = {} }) {
    const row = OPS[op] ?? lacks(op);
    const [a, b, c] = inputs.map((slot) => slots.get(slot));
    const can = row.can(a, b, c, params);
    if (can !== true) lacks(can);
    const point = row.point ? row.point(a, b, c, params) : [a, b, c].every((t) => !t || t.point);
    slots.set(outs[0], pointed(row.call(torch, a, b, c, withAxis(params)), point));
  },
  detach({ slots }, { out, source }) {
    slots.set(out, pointed(new torch.Tensor(slots.get(source).data), slots.get(source).point));
  },
  backward({ slots }, { roots, gradients = [], create_graph, inputs, shape, handed }) {
    if (roots.length > 1) lacks("backward of several roots");
    if (create_graph) lacks("create_graph");
    if (inputs) lacks("backward(inputs=...)");
    const root = slots.get(roots[0]);
    let gradient = gradients[0] ?? null;
    if (Array.isArray(gradient)) gradient = make(gradient, shape ?? root.shape);
    else if (gradient !== null) gradient = handed ? slots.get(gradient) : new torch.Tensor(structuredClone(slots.get(gradient).data));
    root.backward(gradient);
  },
  zero_grad: ({ slots }, { target }) => slots.get(target).zero_grad(),
  drop({ slots, see }, { target }) {
    see(target, "value", LOOK.value(slots.get(target)));
    slots.delete(target);
  },
};

const gradientOf = (t) => (t.grad?.flat(Infinity).some((x) => x !== 0) ? shown(t.grad, t.point) : null); // zeros count as none

// -- The suite's side: nothing here knows the engine ------------------------------------------------------------------------

const told = (x) => (Array.isArray(x) ? x.map(told) : typeof x === "number" && !Number.isFinite(x) ? words(x) : x ?? null);
const words = (x) => (Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf");

class Run {
  slots = new Map();
  keepers = new Set();
  sights = [];
  place = 0;
  see = (slot, facet, content) => this.sights.push([this.place, slot, facet, told(content)]);

  // The thorough schedule: after every step, every facet of every slot.
  look(facets) {
    for (const [slot, tensor] of this.slots) {
      for (const facet of facets) {
        if (facet in LOOK) this.see(slot, facet, LOOK[facet](tensor));
        else if (facet === "grad" && this.keepers.has(slot)) this.see(slot, facet, gradientOf(tensor));
      }
    }
  }

  of(program, facets) {
    let refusal = null;
    let unsupported = null;
    try {
      for (const step of program.steps) {
        (STEPS[step.step] ?? lacks(step.step))(this, step);
        this.look(facets);
        this.place += 1;
      }
    } catch (error) {
      if (error instanceof Unsupported) unsupported = error.message;
      else {
        const category = CATEGORIES.find(([text]) => text.test(error.message))?.[1] ?? "other";
        refusal = { step: this.place, category, message: `${error.name}: ${error.message}` };
        this.look(facets.filter((facet) => facet === "value"));
      }
    }
    return { sights: this.sights, refusal, unsupported };
  }
}

// Answers are written at once, to the end: what is not yet written when a program kills the process is lost.
function say(answer) {
  const bytes = Buffer.from(JSON.stringify(answer) + "\n");
  for (let from = 0; from < bytes.length; ) from += writeSync(1, bytes, from);
}

const COMMANDS = {
  hello: ({ seq }) =>
    say({ seq, protocol: 1, name: "js-pytorch", version: PACKAGE.version, home: PACKAGE.homepage, issues: PACKAGE.bugs.url,
          language: `JavaScript, Node ${process.version}`, capabilities: CAPABILITIES }),
  run: ({ seq, facets, programs }) =>
    programs.forEach((program, index) => say({ seq, index, ...new Run().of(program, facets) })),
  script: ({ seq, program, difference }) => say({ seq, text: scriptOf(program, difference) }),
  stop: () => process.exit(0),
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  COMMANDS[command.cmd](command);
}
