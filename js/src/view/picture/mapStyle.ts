import { GREY } from "../../core/colormap";
import type { Look } from "../../core/compositor";
import type { Model } from "../model";
import { byteMap, flag, text, unit } from "../traits";

/** How maps are drawn, as the traits say. */
export function lookOf(model: Model): Look {
  return {
    overlay: flag(model.get("overlay"), true),
    opacity: unit(model.get("opacity"), 0.5),
    cells: flag(model.get("cells"), false),
    colors: byteMap(model.get("colormaps")).get(text(model.get("colormap"))) ?? GREY,
  };
}
