/** ``WheelZoom``: decides which wheel events zoom the picture, and which scroll the page. */
/** The longest pause within one wheel gesture, in milliseconds. */
import { clamp } from "../../core/parse";

const PAUSE = 300;

/** The zoom per pixel of a wheel, and of a pinch on a touchpad, which arrives as a wheel with ctrl. */
const GAIN = 0.002;
const PINCH_GAIN = 0.01;

/** What one event can do at most. */
const MOST = 0.3;

const LINE = 16;
const PAGE = 400;

/**
 * Decides which wheel gestures zoom. A gesture that began outside of the picture, or that has scrolled the page, goes on
 * scrolling it; zooming keeps events from the page for one pause at most.
 */
export class WheelZoom {
  /** When the page was last given a wheel event, and when it was last enlarged or reduced here. */
  private passed = -Infinity;
  private zoomed = -Infinity;

  /**
   * @param element where it zooms
   * @param zoom by a factor; false if there is nothing to zoom that way
   */
  constructor(element: HTMLElement, signal: AbortSignal, zoom: (event: WheelEvent, factor: number) => boolean) {
    const elsewhere = (event: WheelEvent): void => {
      if (!(event.target instanceof Node && element.contains(event.target))) this.passed = event.timeStamp;
    };
    window.addEventListener("wheel", elsewhere, { capture: true, passive: true, signal });
    element.addEventListener(
      "wheel",
      (event) => {
        const now = event.timeStamp;
        const isPinch = event.ctrlKey;
        const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
        if (!isPinch && (isSideways || !event.cancelable || now - this.passed < PAUSE)) {
          this.passed = now;
        } else if (zoom(event, factor(event))) {
          this.zoomed = now;
          event.preventDefault();
        } else if (isPinch || now - this.zoomed < PAUSE) {
          // The end of the gesture that reduced it fully is not meant for the page, and ctrl would enlarge all of that.
          event.preventDefault();
        } else {
          this.passed = now;
        }
      },
      { passive: false, signal },
    );
  }
}

function factor({ deltaY, deltaMode, ctrlKey }: WheelEvent): number {
  const pixels = deltaY * (deltaMode === 1 ? LINE : deltaMode === 2 ? PAGE : 1);
  const much = -pixels * (ctrlKey ? PINCH_GAIN : GAIN);
  return Math.exp(clamp(much, -MOST, MOST));
}
