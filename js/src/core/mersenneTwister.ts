/** ``MersenneTwister``: the random numbers that PyTorch's generator of the CPU gives for a seed. */

const [SIZE, SHIFTED] = [624, 397] as const;

/** MT19937 of Matsumoto and Nishimura 1998, initialized as by its authors in 2002. */
export class MersenneTwister {
  private readonly state = new Uint32Array(SIZE);
  private at: number = SIZE;

  /** @param seed a whole number, of which the lower 32 bits count */
  constructor(seed: number) {
    this.state[0] = seed % 2 ** 32;
    for (let i = 1; i < SIZE; i++) {
      const last = this.state[i - 1]!;
      this.state[i] = Math.imul(1812433253, last ^ (last >>> 30)) + i;
    }
  }

  /** Whole numbers of 32 bits. */
  next(): number {
    if (this.at === SIZE) this.twist();
    let y = this.state[this.at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** A number from 0 up to 1, as torch.rand gives it in float32: a multiple of 2⁻²⁴. */
  uniform(): number {
    return (this.next() & 0xffffff) * 2 ** -24;
  }

  /** A whole number from 0 up to, and without, `end`, as torch.randint gives it. */
  below(end: number): number {
    return this.next() % end;
  }

  private twist(): void {
    const { state } = this;
    for (let i = 0; i < SIZE; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % SIZE]! & 0x7fffffff);
      state[i] = state[(i + SHIFTED) % SIZE]! ^ (y >>> 1) ^ ((y & 1) === 0 ? 0 : 0x9908b0df);
    }
    this.at = 0;
  }
}
