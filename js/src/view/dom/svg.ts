const SVG = "http://www.w3.org/2000/svg";

/** An SVG element; text and names only ever become attribute values and text nodes. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>> = {},
  ...children: readonly (Node | string)[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** A drawing over the picture: as wide and as high as that, whatever its own measures are. */
export function overlay(className: string, viewBox = ""): SVGSVGElement {
  const made = svg("svg", { class: className, "aria-hidden": "true", preserveAspectRatio: "none" });
  if (viewBox !== "") made.setAttribute("viewBox", viewBox);
  return made;
}

/** Each line on a darker one: there is no picture on which the two of them cannot be seen. */
export function line(d: string, over = "over", under = "under"): readonly SVGPathElement[] {
  return [svg("path", { class: under, d }), svg("path", { class: over, d })];
}
