/** Pictures of one's own: from a file, dropped, or pasted; they stay in the page. */
import type { RgbPicture } from "../core/compositor";
import { grayed, prepared } from "../core/resampling";
import type { Bytes, Geometry } from "../core/resampling";
import { button, make, setChoices } from "../view/dom/dom";
import { OWN_KEYS } from "../view/host/compat";
import { trait, watch, write } from "../view/model";
import { texts } from "../core/parse";
import type { LiveModel } from "./liveModel";

/** The most pixels of a picture: larger ones may not fit in memory. */
const MOST = 60e6;

/** The least length of a side, as in the kernel. */
const LEAST = 8;

/** What may be wrong with a file, in words. */
class PictureError extends Error {}

/** Reads a picture's bytes, on white where it is transparent, as the file has them: not converted to the screen's colors. */
async function read(file: Blob): Promise<Bytes> {
  let decoded: ImageBitmap;
  try {
    decoded = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new PictureError("this browser cannot read it as a picture");
  }
  const { width, height } = decoded;
  if (Math.min(width, height) < LEAST) throw new PictureError(`it has only ${width}×${height} pixels`);
  if (width * height > MOST) throw new PictureError(`it has ${Math.round((width * height) / 1e6)} megapixels, and ${MOST / 1e6} are allowed`);
  const canvas = make("canvas", "", { width, height });
  const drawing = canvas.getContext("2d", { willReadFrequently: true });
  if (drawing === null) throw new PictureError("this browser gives no canvas to read it");
  drawing.fillStyle = "#fff";
  drawing.fillRect(0, 0, width, height);
  drawing.drawImage(decoded, 0, 0);
  decoded.close();
  const { data } = drawing.getImageData(0, 0, width, height);
  const rgb = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = data[from]!;
    rgb[to + 1] = data[from + 1]!;
    rgb[to + 2] = data[from + 2]!;
  }
  return { width, height, channels: 3, data: rgb };
}

/** A picture as the model gets it, as RGB. */
export function asInput(picture: Bytes, geometry: Geometry, channels: number): RgbPicture {
  const { width, height, data } = prepared(channels === 1 ? grayed(picture) : picture, geometry);
  const rgb = channels === 1 ? Uint8Array.from({ length: 3 * data.length }, (_, i) => data[Math.floor(i / 3)]!) : data;
  return { width, height, rgb };
}

/**
 * The line over the picture: its name, and how to open another one.
 *
 * @param geometry the model's preprocessing, or why it cannot be repeated
 */
export function pictureLine(
  model: LiveModel, geometry: Geometry | { readonly reason: string }, channels: number, signal: AbortSignal,
): HTMLElement {
  // A drop beside the picture would leave the page, and show the file alone.
  const area = document.documentElement;
  const chosen = make("select", "camwidget-select camwidget-own-chosen", { "aria-label": "Picture", ...OWN_KEYS });
  chosen.addEventListener("change", () => write(model, { picture: chosen.selectedIndex }), { signal });
  watch(model, ["pictures", "picture"], signal, () => {
    const names = texts(model.get("pictures"));
    setChoices(chosen, names.map((name, at) => ({ value: String(at), label: name })), String(trait(model, "picture")));
    chosen.hidden = names.length < 2;
  });
  if ("reason" in geometry) {
    const hint = `Other pictures need the notebook: ${geometry.reason}.`;
    return make("div", "camwidget-own camwidget-view", {}, chosen, make("span", "camwidget-own-hint", {}, hint));
  }
  const field = make("input", "", { type: "file", accept: "image/*", hidden: true, "aria-label": "A picture of your own" });
  const opener = button("camwidget-button camwidget-own-open", { title: "Explain a picture of your own; it stays on this computer" }, "open your picture…");
  opener.addEventListener("click", () => field.click(), { signal });
  // The number of the file that was opened last.
  let newest = 0;
  const open = async (file: Blob | null | undefined, name: string): Promise<void> => {
    if (file == null) return;
    const number = ++newest;
    model.setAll({ error: "", status: `Reading ${name}…` });
    try {
      const picture = asInput(await read(file), geometry, channels);
      // One that takes longer than a newer one is listed, but not shown in its place.
      if (number === newest) model.add(name, picture);
      else model.list(name, picture);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      model.setAll({ error: `${name} was not opened: ${reason}.` });
    }
  };
  field.addEventListener(
    "change",
    () => {
      const file = field.files?.[0];
      void open(file, file?.name ?? "");
      field.value = "";
    },
    { signal },
  );
  const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") === true;
  area.addEventListener(
    "dragover",
    (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      area.classList.add("camwidget-own-over");
    },
    { signal },
  );
  for (const end of ["dragleave", "drop"] as const) {
    area.addEventListener(end, () => area.classList.remove("camwidget-own-over"), { signal });
  }
  area.addEventListener(
    "drop",
    (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      void open(file, file?.name ?? "");
    },
    { signal },
  );
  document.addEventListener(
    "paste",
    (event) => {
      const file = Array.from(event.clipboardData?.files ?? []).find(({ type }) => type.startsWith("image/"));
      if (file === undefined) return;
      event.preventDefault();
      void open(file, "pasted picture");
    },
    { signal },
  );
  return make("div", "camwidget-own camwidget-view", {}, chosen, opener, field, make("span", "camwidget-own-hint", {}, "or drop or paste one"));
}
