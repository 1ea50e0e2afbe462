import { afterEach, describe, expect, it } from "vitest";
import { FakeModel, settle, show, traits } from "./fakeModel";
import type { Shown } from "./fakeModel";

afterEach(() => document.body.replaceChildren());

class FakeSignal {
  readonly slots = new Set<(sender: unknown, now: unknown) => void>();
  connect(slot: (sender: unknown, now: unknown) => void): void {
    this.slots.add(slot);
  }
  disconnect(slot: (sender: unknown, now: unknown) => void): void {
    this.slots.delete(slot);
  }
  emit(now?: unknown): void {
    for (const slot of this.slots) slot(this, now);
  }
}

interface Hosted extends Shown {
  readonly kernel: { id: string; connectionStatus: string };
  readonly manager: { kernel: unknown; context: unknown };
  readonly changed: FakeSignal;
  readonly link: FakeSignal;
  readonly status: FakeSignal;
}

function hosted(): Hosted {
  const [changed, link, status] = [new FakeSignal(), new FakeSignal(), new FakeSignal()];
  const kernel = { id: "one", connectionStatus: "connected" };
  const sessionContext = { kernelChanged: changed, connectionStatusChanged: link, statusChanged: status };
  const manager = { kernel, context: { sessionContext } };
  const model = Object.assign(new FakeModel({ ...traits(), busy: true, can_cancel: true }), { widget_manager: manager });
  return { ...show(model), kernel, manager: manager as Hosted["manager"], changed, link, status };
}

const said = (view: Shown): string => {
  const line = view.one(".camwidget-connection");
  return line.hidden ? "" : (line.textContent ?? "");
};

describe("the connection to the kernel", () => {
  it("is not spoken of while it is there, nor where nobody knows", () => {
    expect(said(hosted())).toBe("");
    expect(said(show())).toBe("");
  });

  it("says that it waits, and goes on", async () => {
    const view = hosted();
    view.kernel.connectionStatus = "connecting";
    view.link.emit();
    expect(said(view)).toContain("Waiting for the connection");
    view.key("2");
    expect(view.model.get("target")).toBe(3);
    view.status.emit("busy");
    view.kernel.connectionStatus = "connected";
    view.link.emit();
    expect(said(view)).toBe("");
  });

  const ends: Readonly<Record<string, (view: Hosted) => void>> = {
    "a restart": (view) => {
      view.el.classList.add("jupyter-widgets-disconnected");
      view.model.emit("comm_live_update");
    },
    "a shutdown": (view) => {
      view.manager.kernel = null;
      view.changed.emit();
    },
    "a restart from another page": (view) => view.status.emit("starting"),
    "another kernel": (view) => {
      view.manager.kernel = { id: "two", connectionStatus: "connected" };
      view.changed.emit();
    },
  };

  for (const [name, end] of Object.entries(ends)) {
    it(`is lost by ${name}: only what the page does by itself goes on`, async () => {
      const view = hosted();
      end(view);
      await settle();
      expect(said(view)).toContain("Disconnected from the kernel: run the cell again");
      expect(view.one(".camwidget-methods").hasAttribute("inert")).toBe(true);
      expect(view.one(".camwidget-progress").hidden).toBe(true);
      expect(view.one(".camwidget-cancel").hidden).toBe(true);
      const saves = view.model.saves;
      view.key("2");
      view.key("m");
      view.key("Enter");
      expect(view.model.get("target")).toBe(7);
      expect(view.model.get("method")).toBe("gradcam");
      expect(view.model.sent).toEqual([]);
      view.key("ArrowRight");
      expect(view.model.get("fraction")).toBe(0.01);
      view.key(" ");
      expect(view.model.get("overlay")).toBe(true);
      expect(view.model.saves).toBe(saves);
      view.manager.kernel = view.kernel;
      view.changed.emit();
      expect(said(view), "the kernel knows nothing of this view any more").toContain("Disconnected");
    });
  }

  it("was lost before the view came, as in a notebook that is opened again", () => {
    const root = document.createElement("div");
    root.className = "jupyter-widgets-disconnected";
    document.body.append(root);
    const view = show();
    root.append(view.el);
    view.model.emit("comm_live_update");
    return settle().then(() => expect(said(view)).toContain("Disconnected"));
  });

  it("is let go with the view", () => {
    const view = hosted();
    view.end();
    expect(view.changed.slots.size + view.status.slots.size + view.link.slots.size).toBe(0);
  });
});
