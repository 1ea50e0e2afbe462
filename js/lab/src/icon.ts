/** The icon of explorers. */
import { LabIcon } from "@jupyterlab/ui-components";

/** A picture's frame with the hot spot of a saliency map in it. */
export const explorerIcon = new LabIcon({
  name: "camwidget:explorer",
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">
  <path class="jp-icon3 jp-icon-selectable" fill="#616161" d="M2 2h12v12H2zm1.3 1.3v9.4h9.4V3.3z"/>
  <circle fill="#F57C00" opacity=".35" cx="8.6" cy="7.4" r="3.6"/>
  <circle fill="#F57C00" cx="8.6" cy="7.4" r="1.8"/>
</svg>`,
});
