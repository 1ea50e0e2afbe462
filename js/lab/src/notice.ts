/** ``NoticeBar``: a message in a tab, with remedies as buttons. */
import { Widget } from "@lumino/widgets";

/** A remedy that a person can choose. */
export interface Remedy {
  readonly label: string;
  readonly run: () => unknown;
}

export interface Notice {
  readonly title: string;
  /** What to do, a paragraph each. */
  readonly text?: readonly string[];
  /** Something to copy: a command line, or Python's own words. */
  readonly code?: string;
  readonly remedies?: readonly Remedy[];
  /** Whether it waits for something, rather than for the person. */
  readonly waiting?: boolean;
}

function element<K extends keyof HTMLElementTagNameMap>(tag: K, name: string, text = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

/** Shows what the tab waits for, or an error with its remedies. */
export class NoticeBar extends Widget {
  constructor() {
    super();
    this.addClass("camwidget-lab-notice");
    // A screen reader reads it when it changes.
    this.node.setAttribute("role", "status");
    this.hide();
  }

  say(notice: Notice): void {
    this.toggleClass("camwidget-lab-waiting", notice.waiting ?? false);
    const parts: HTMLElement[] = [element("strong", "camwidget-lab-title", notice.title)];
    for (const paragraph of notice.text ?? []) parts.push(element("p", "camwidget-lab-text", paragraph));
    if (notice.code) parts.push(element("pre", "camwidget-lab-code", notice.code));
    if (notice.remedies?.length) {
      const row = element("div", "camwidget-lab-remedies");
      for (const [number, remedy] of notice.remedies.entries()) {
        const button = element("button", `jp-mod-styled ${number ? "jp-mod-reject" : "jp-mod-accept"}`, remedy.label);
        button.addEventListener("click", () => void remedy.run());
        row.append(button);
      }
      parts.push(row);
    }
    this.node.replaceChildren(...parts);
    this.show();
  }
}
