import { GREY } from "../../core/colormap";
import type { Look } from "../../core/compositor";
import { portion, trait } from "../model";
import type { Model } from "../model";
import { byteMap } from "../traits";

/** How maps are drawn, as the traits say. */
export function lookOf(model: Model): Look {
  return {
    overlay: trait(model, "overlay"),
    opacity: portion(model, "opacity"),
    cells: trait(model, "cells"),
    colors: byteMap(model.get("colormaps")).get(trait(model, "colormap")) ?? GREY,
  };
}
