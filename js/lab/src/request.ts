/** The pictures, kernel and state of a tab. It is stored with the layout of the workspace, to open the tab again. */
export interface ExplorerRequest {
  /** The folder that the kernel runs in, below the server's root. */
  readonly folder: string;
  /** Pictures and folders in it; none for the embedded model's own pictures. */
  readonly names: readonly string[];
  /** Path of the kernel's session: a page that is loaded again finds its kernel by it. */
  readonly session: string;
  /** Name of the kernel's specification; the application's choice if left out. */
  readonly kernel?: string;
  /** The explorer's `state` as JSON, when it was last known. */
  readonly state?: string;
}

/** The request as arguments of a command, which are JSON. */
export function toArguments(request: ExplorerRequest): { [name: string]: string | string[] } {
  return { ...request, names: [...request.names] };
}

/** A request from arguments, which may come from anywhere; the launcher names its folder `cwd`. */
export function fromArguments(given: { readonly [name: string]: unknown }): Partial<ExplorerRequest> {
  const { cwd, folder = cwd, names, session, kernel, state } = given;
  const texts = Object.entries({ folder, session, kernel, state }).filter(([, value]) => typeof value === "string");
  const list = Array.isArray(names) ? { names: names.filter((name) => typeof name === "string") } : {};
  return { ...Object.fromEntries(texts), ...list };
}

/** Returns the title of a tab. */
export function titleOf(request: ExplorerRequest): string {
  const [first, ...others] = request.names;
  if (first === undefined) return "Explorer";
  return others.length ? `${first} + ${others.length}` : first;
}

/** A path of folder and name, below the server's root. */
export function join(folder: string, name: string): string {
  return folder ? `${folder}/${name}` : name;
}

/** Returns the relative path from one folder to another, both below the server's root: "" or with a slash at its end. */
export function way(from: string, to: string): string {
  const [start, end] = [from, to].map((path) => path.split("/").filter(Boolean)) as [string[], string[]];
  let common = 0;
  while (common < Math.min(start.length, end.length) && start[common] === end[common]) common += 1;
  return "../".repeat(start.length - common) + end.slice(common).map((part) => `${part}/`).join("");
}
