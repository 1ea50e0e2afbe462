import { afterEach, describe, expect, it, vi } from "vitest";
import { accordionHeaders, HostKernel, reportChange } from "../src/view/host/compat";
import { FakeModel } from "./fakeModel";

declare global {
  interface ImportMeta {
    glob(patterns: readonly string[], options: object): Record<string, string>;
  }
}

afterEach(() => document.body.replaceChildren());

function errors(): string[] {
  const logged: string[] = [];
  vi.spyOn(console, "error").mockImplementation((text: string) => void logged.push(text));
  return logged;
}

describe("details of hosts", () => {
  it("are named in one module and one stylesheet only", () => {
    const sources = import.meta.glob(["../src/**/*.ts", "../src/**/*.css"], { query: "?raw", import: "default", eager: true });
    const detail = /jupyter-(widget|button)|widget-accordion|\.bqplot|data-lm-|widget_manager|comm_live|sessionContext/;
    const found = Object.entries(sources).filter(([, text]) => detail.test(text)).map(([file]) => file.slice(7));
    expect(found.sort()).toEqual(["css/hosts.css", "view/host/compat.ts"]);
  });

  it("are reported once when they change", () => {
    const logged = errors();
    for (let i = 0; i < 2; i++) reportChange("A host's class", "Something is left out.");
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain("A host's class has changed. Something is left out.");
  });

  it("are reported where an accordion has other headers, and these are found by their name", () => {
    const logged = errors();
    const panels = document.createElement("div");
    expect(accordionHeaders(panels)).toEqual([]);
    expect(logged).toEqual([]);
    panels.innerHTML = '<div class="widget-accordion"><div class="x-Collapse"><div class="x-Collapse-header">A</div></div></div>';
    expect(accordionHeaders(panels).map((header) => header.textContent)).toEqual(["A"]);
    expect(logged[0]).toContain(".jupyter-widget-Collapse-header has changed");
  });

  it("are reported where a session has no signals or a kernel no status, and the view counts as connected", () => {
    const logged = errors();
    const widget_manager = { kernel: { id: "one" }, context: { sessionContext: {} } };
    const kernel = new HostKernel(Object.assign(new FakeModel(), { widget_manager }), document.body);
    kernel.observe(() => undefined, new AbortController().signal);
    expect(kernel.link).toBe("live");
    for (const name of ["kernelChanged", "connectionStatusChanged", "statusChanged", "connectionStatus"]) {
      expect(logged.some((text) => text.includes(name)), name).toBe(true);
    }
  });

  it("are not expected of hosts that have no kernel to show", () => {
    const logged = errors();
    const kernel = new HostKernel(Object.assign(new FakeModel(), { widget_manager: {} }), document.body);
    kernel.observe(() => undefined, new AbortController().signal);
    expect([kernel.link, logged]).toEqual(["live", []]);
  });
});
