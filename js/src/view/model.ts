/**
 * All the view needs of its host. anywidget's model fits; so does the few-line one of a page
 * without a kernel.
 */
export interface Model {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
  send(content: unknown): void;
}
