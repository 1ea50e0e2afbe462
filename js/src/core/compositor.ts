/** ``Compositor``: blends picture, map and mask into the pixels of a canvas. */
import { blendTable, COLORMAP_BYTES, fillBlendTable, fromRgb, GRAY, OPAQUE, pack } from "./colormap";
import { expandCells } from "./interpolation";
import { multiply, threshold } from "./maskingRule";
import type { Mode } from "./maskingRule";

export interface RgbPicture {
  readonly width: number;
  readonly height: number;
  /** width × height × 3 bytes. */
  readonly rgb: Uint8Array;
}

export interface Heat {
  /** Saliency, one byte a pixel, 0..255, in proportion to the map; the mode "multiply" uses it. */
  readonly saliency: Uint8Array;
  /** The tone-mapped saliency, if it is drawn instead; the cells are tone-mapped then, too. */
  readonly drawn?: Uint8Array | null;
  /** One 16-bit rank a pixel, 0 for the strongest evidence. */
  readonly levels: Uint16Array;
  /** The layer's own cells, row by row, where they are known. */
  readonly cells: { readonly values: Uint8Array; readonly rows: number; readonly columns: number } | null;
}

/** How the map is drawn, which never changes what the model gets. */
export interface MapStyle {
  readonly overlay: boolean;
  readonly opacity: number;
  readonly cells: boolean;
  readonly colors: Uint8Array;
}

/** What decides the pixels the model gets. */
export interface Mask {
  readonly mode: Mode;
  readonly fraction: number;
  /** RGB bytes of a full picture or of one color; null for black. */
  readonly fill: Uint8Array | null;
  /** Paint, one number a pixel (see userMask.ts). */
  readonly paint?: Int8Array | null;
  /** For a fill that depends on what is hidden: the pixels it was made for, 1 each. */
  readonly hole?: Uint8Array | null;
}

/**
 * Draws picture, map and mask into one RGBA buffer. The blend of picture and map is kept between
 * frames, so that moving the slider only chooses between two ready pixels; nothing is allocated
 * while it moves.
 */
export class Compositor {
  width = 0;
  height = 0;
  /** The result, opaque RGBA. Replaced only when the size changes. */
  pixels = new Uint8ClampedArray(0);

  private out = new Uint32Array(0);
  private picture = new Uint32Array(0);
  private heated = new Uint32Array(0);
  private filling = new Uint32Array(0);
  private heat: Heat | null = null;
  private expanded: Uint8Array | null = null;
  private style: MapStyle = { overlay: false, opacity: 0, cells: false, colors: GRAY };
  private fill: Uint8Array | null | undefined = undefined;
  private blended = false;
  private readonly table = blendTable();
  /** Where nothing is painted, and nothing ranked. */
  private unpainted = new Int8Array(0);
  private unranked = new Uint16Array(0);
  /** Which pixels were hidden last: all ones. */
  private hidden = new Int32Array(0);

  /** Whether the fill painted last was made for other pixels than those hidden: they are hatched then. */
  provisional = false;

  setPicture({ width, height, rgb }: RgbPicture): void {
    const size = width * height;
    if (width !== this.width || height !== this.height) {
      this.width = width;
      this.height = height;
      this.pixels = new Uint8ClampedArray(4 * size);
      this.out = new Uint32Array(this.pixels.buffer);
      this.picture = new Uint32Array(size);
      this.heated = new Uint32Array(size);
      this.filling = new Uint32Array(size);
      this.unpainted = new Int8Array(size);
      this.unranked = new Uint16Array(size);
      this.hidden = new Int32Array(size);
    }
    fromRgb(rgb, this.picture);
    this.fill = undefined;
    this.setHeat(null);
  }

  /** Null: no map belongs to this picture (yet). It is then drawn unmasked. */
  setHeat(heat: Heat | null): void {
    this.heat = heat;
    this.expanded = null;
    this.blended = false;
  }

  setStyle(style: MapStyle): void {
    this.style = style;
    this.blended = false;
  }

  paint(mask: Mask): Uint8ClampedArray {
    this.prepareFill(mask.fill);
    const paint = mask.paint?.length === this.out.length ? mask.paint : this.unpainted;
    // A picture without a map is masked by paint alone.
    if (this.heat === null) this.paintMasked(this.unranked, "remove", 0, paint);
    else if (mask.mode === "multiply") this.paintProduct(this.heat.saliency, paint);
    else this.paintMasked(this.heat.levels, mask.mode, mask.fraction, paint);
    this.provisional = mask.hole != null && !this.isHidden(mask.hole);
    if (this.provisional) this.hatch();
    return this.pixels;
  }

  /** Every pixel is changed, so every pixel is shown as the model gets it, without the map. */
  private paintProduct(saliency: Uint8Array, paint: Int8Array): void {
    const { out, picture, filling, hidden } = this;
    for (let i = 0; i < out.length; i++) {
      const p = picture[i]!;
      const s = saliency[i]!;
      const by = paint[i]!;
      hidden[i] = -by >> 31;
      if (by !== 0) {
        out[i] = by > 0 ? filling[i]! : p;
        continue;
      }
      out[i] =
        OPAQUE |
        (multiply((p >>> 16) & 255, s) << 16) |
        (multiply((p >>> 8) & 255, s) << 8) |
        multiply(p & 255, s);
    }
  }

  private paintMasked(levels: Uint16Array, mode: "remove" | "keep", fraction: number, paint: Int8Array): void {
    const shown = this.prepareBlend();
    const { out, filling, hidden } = this;
    const t = threshold(fraction);
    const turned = mode === "keep" ? -1 : 0;
    for (let i = 0; i < out.length; i++) {
      // All ones where the level is below t. No branch: in a noisy map it would be guessed wrong.
      const below = (levels[i]! - t) >> 31;
      const by = paint[i]!;
      // Paint 1 hides and -1 keeps, whatever the map's ranks.
      const hide = ((below ^ turned) | (-by >> 31)) & ~(by >> 31);
      hidden[i] = hide;
      out[i] = (filling[i]! & hide) | (shown[i]! & ~hide);
    }
  }

  private isHidden(hole: Uint8Array): boolean {
    const { hidden } = this;
    let other = hole.length ^ hidden.length;
    for (let i = 0; i < hidden.length; i++) other |= hole[i]! + hidden[i]!;
    return other === 0;
  }

  /** Diagonal lines over what is hidden: these are not yet the pixels that the model gets. */
  private hatch(): void {
    const { out, hidden, width } = this;
    for (let i = 0, x = 0, y = 0; i < out.length; i++) {
      if (hidden[i] !== 0 && (x + y) % 6 < 2) out[i] = OPAQUE | ((out[i]! >>> 1) & 0x7f7f7f);
      if (++x === width) {
        x = 0;
        y += 1;
      }
    }
  }

  private prepareFill(fill: Uint8Array | null): void {
    if (this.fill === fill) return;
    this.fill = fill;
    if (fill?.length === 3 * this.filling.length) fromRgb(fill, this.filling);
    else if (fill?.length === 3) this.filling.fill(pack(fill[0]!, fill[1]!, fill[2]!));
    else this.filling.fill(OPAQUE);
  }

  private prepareBlend(): Uint32Array {
    const { style, heat } = this;
    if (heat === null || !style.overlay || style.opacity <= 0) return this.picture;
    if (!this.blended) {
      const colors = style.colors.length === COLORMAP_BYTES ? style.colors : GRAY;
      fillBlendTable(this.table, colors, Math.min(1, style.opacity));
      this.blend(style.cells ? this.cellMap(heat) : heat.drawn ?? heat.saliency);
      this.blended = true;
    }
    return this.heated;
  }

  private blend(map: Uint8Array): void {
    const { picture, heated } = this;
    const { stay, redBlue, green } = this.table;
    for (let i = 0; i < heated.length; i++) {
      const p = picture[i]!;
      const v = map[i]!;
      const keep = stay[v]!;
      const rb = ((p & 0xff00ff) * keep + redBlue[v]!) >>> 8;
      const g = ((p >>> 8) & 0xff) * keep + green[v]!;
      heated[i] = OPAQUE | (rb & 0xff00ff) | (g & 0xff00);
    }
  }

  private cellMap(heat: Heat): Uint8Array {
    if (heat.cells === null) return heat.drawn ?? heat.saliency;
    const { values, rows, columns } = heat.cells;
    this.expanded ??= expandCells(values, rows, columns, this.width, this.height);
    return this.expanded;
  }
}
