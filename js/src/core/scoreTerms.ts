/** What is explained, as a sum of classes' scores: a class, evidence against it, or for it rather than another. */

/** A class, and whether its score counts or is subtracted. */
export interface Term {
  readonly index: number;
  readonly sign: 1 | -1;
}

export type Terms = readonly Term[];

/** The terms of a class and a stance; `other` is the class that it is contrasted with. */
export function termsOf(target: number, kind: "for" | "against" | "rather", other: number): Terms {
  if (kind === "against") return [{ index: target, sign: -1 }];
  const own: Term = { index: target, sign: 1 };
  return kind === "rather" ? [own, { index: other, sign: -1 }] : [own];
}

/** Whether it is one class, so that methods that take a probability take the class's. */
export function isOneClass(terms: Terms): boolean {
  return terms.length === 1 && terms[0]!.sign === 1;
}

export function scoreOf(terms: Terms, values: ArrayLike<number>): number {
  return terms.reduce((sum, { index, sign }) => sum + sign * values[index]!, 0);
}
