// Programs as plain code of js-pytorch, for reports: what a person can paste into an issue.

import { OPS, withAxis } from "./ops.js";

const LETTERS = "abcdefghijkmnpqrstuvwxyz";
const name = (slot) => LETTERS[slot % LETTERS.length] + (Math.floor(slot / LETTERS.length) || "");

const text = (values, shape) => {
  if (shape.length < 2) return `[${values.join(", ")}]`;
  const inner = values.length / shape[0];
  const rows = Array.from({ length: shape[0] }, (_, i) => text(values.slice(i * inner, (i + 1) * inner), shape.slice(1)));
  return `[${rows.join(", ")}]`;
};

// The op's code with its operands and parameters in place. What follows a dot, or stands before a colon, is another name.
const filled = (code, operands, params) => {
  const words = { a: operands[0], b: operands[1], c: operands[2], ...params };
  return code.replace(/(?<![.\w])([a-z]\w*)(?![\w:])/g, (word) =>
    word in words ? (typeof words[word] === "string" ? words[word] : JSON.stringify(words[word])) : word);
};

const gradient = (given, root, shape) => {
  if (given === undefined || given === null) return "";
  if (typeof given === "number") return name(given);
  return shape ? `torch.tensor(${text(given, shape)})` : `torch.tensor(torch._reshape([${given.join(", ")}], ${root}.shape))`;
};

const WRITERS = {
  leaf: (s) => `const ${name(s.out)} = torch.tensor(${text(s.values, s.shape)}${s.requires_grad ? ", true" : ""});`,
  apply: (s) => `const ${name(s.outs[0])} = ${filled(OPS[s.op].code, s.inputs.map(name), withAxis(s.params ?? {}))};`,
  detach: (s) => `const ${name(s.out)} = torch.tensor(${name(s.source)}.data);`,
  backward: (s) => `${name(s.roots[0])}.backward(${gradient(s.gradients?.[0], name(s.roots[0]), s.shape)});`,
  zero_grad: (s) => `${name(s.target)}.zero_grad();`,
  drop: () => null,
};

const SHOWN = { value: "data", grad: "grad" };

export function scriptOf(program, difference) {
  const lines = program.steps.map((step, place) => {
    const line = WRITERS[step.step](step);
    const here = difference?.facet === "error" && difference.step === place;
    return here ? `${line} // must ${difference.kind === "missed error" ? "" : "not "}raise` : line;
  });
  if (difference && difference.facet !== "error") {
    const shown = `${name(difference.slot)}.${SHOWN[difference.facet] ?? difference.facet}`;
    lines.push(`console.log(${shown}); // right: @expected@; wrong: @observed@`);
  }
  return ['import { torch } from "js-pytorch";', "", ...lines.filter(Boolean), ""].join("\n");
}
