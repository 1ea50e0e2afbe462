import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "happy-dom",
    setupFiles: ["tests/setup.ts"],
    restoreMocks: true,
    // A test reads the stylesheets as text.
    css: { include: [/\.css/] },
  },
});
