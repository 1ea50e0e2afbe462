/** Class names ready for searching: lowered once, not at every keystroke. */
export class Names {
  private readonly lowered: readonly string[];

  constructor(readonly names: readonly string[]) {
    this.lowered = names.map((name) => name.toLowerCase());
  }

  /** Indices of names that contain the query: those that start with it first, then in order. */
  find(query: string, most: number): number[] {
    const wanted = query.trim().toLowerCase();
    if (wanted === "") return [];
    const starting: number[] = [];
    const containing: number[] = [];
    for (let at = 0; at < this.lowered.length && starting.length < most; at++) {
      const found = this.lowered[at]!.indexOf(wanted);
      if (found === 0) starting.push(at);
      else if (found > 0 && containing.length < most) containing.push(at);
    }
    return starting.concat(containing).slice(0, most);
  }
}
