import { describe, expect, it } from "vitest";
import { markdown } from "../src/lesson/markdown";

function html(source: string): string {
  const root = document.createElement("div");
  root.append(...markdown(source));
  return root.innerHTML;
}

describe("the subset of Markdown", () => {
  it("has headings below the page's, paragraphs, lists, quotes and code", () => {
    expect(html("# A\ntext\nmore\n\nnext")).toBe("<h3>A</h3><p>text\nmore</p><p>next</p>");
    expect(html("## A\n### B")).toBe("<h3>A</h3><h4>B</h4>");
    expect(html("- a\n- b\n  goes on\n\n3. x\n4) y")).toBe('<ul><li>a</li><li>b\ngoes on</li></ul><ol start="3"><li>x</li><li>y</li></ol>');
    expect(html("> a\n> - b")).toBe("<blockquote><p>a</p><ul><li>b</li></ul></blockquote>");
    expect(html("```py\n# <b>\n*x*\n```\nafter")).toBe("<pre><code># &lt;b&gt;\n*x*</code></pre><p>after</p>");
    expect(html("```\nnever closed")).toBe("<pre><code>never closed</code></pre>");
  });

  it("has emphasis, code and links to the web", () => {
    expect(html("**a *b* c** and `x * y * z`")).toBe("<p><strong>a <em>b</em> c</strong> and <code>x * y * z</code></p>");
    expect(html("2 * 3 * 4, \\*not\\* and `` a`b ``")).toBe("<p>2 * 3 * 4, *not* and <code> a`b </code></p>");
    const link = '<a href="https://a.org/b?c=d" target="_blank" rel="noopener noreferrer">';
    expect(html("[see *this*](https://a.org/b?c=d)")).toBe(`<p>${link}see *this*</a></p>`);
    expect(html("https://a.org/b?c=d !")).toBe(`<p>${link}https://a.org/b?c=d</a> !</p>`);
  });

  it("takes no HTML, no other address, and no picture", () => {
    expect(html("<script>alert(1)</script>")).toBe("<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>");
    for (const address of ["javascript:alert(1)", "JaVaScRiPt:x", "data:text/html,x", "file:///etc", "//a.org", "https:", "vbscript:x"]) {
      expect(html(`[x](${address})`), address).toBe(`<p>[x](${address})</p>`);
    }
    expect(html("![x](https://a.org/p.png)")).not.toContain("<img");
    expect(html('[x](https://a"onclick=alert)')).toContain('href="https://a&quot;onclick=alert"');
  });

  it("ends, whatever is written", () => {
    for (const source of ["*".repeat(5000), "[".repeat(5000), "> ".repeat(2000), "`".repeat(4999), `${"**a ".repeat(800)}`, `${"[a](b".repeat(900)}`]) {
      expect(html(source).length).toBeGreaterThan(0);
    }
  });
});
