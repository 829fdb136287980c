// Every link of the README and the docs leads somewhere.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const docs = fs.readdirSync(path.join(root, "docs")).map((name) => `docs/${name}`);
const pages = ["README.md", "CHANGELOG.md", ...docs.filter((name) => name.endsWith(".md"))];

const textOf = (page: string) => fs.readFileSync(path.join(root, page), "utf8");
const withoutCode = (text: string) => text.replace(/^```.*?^```/gms, "").replace(/`[^`\n]*`/g, "");

/** As GitHub makes them of headings; and those that stand there by themselves. */
function anchorsOf(page: string): Set<string> {
  const text = textOf(page).replace(/^```.*?^```/gms, "");
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-"),
  );
  const own = [...text.matchAll(/<a (?:id|name)="([^"]+)"/g)].map(([, id = ""]) => id);
  return new Set([...headings, ...own]);
}

describe.each(pages)("%s", (page) => {
  const links = [...withoutCode(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  const own = links.filter((link) => !/^[a-z]+:/.test(link));

  it("links to files and headings that are there", () => {
    const broken = own.filter((link) => {
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? page : path.join(path.dirname(page), file);
      if (!fs.existsSync(path.join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(target).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  it("names files of the repository that are there", () => {
    const named = [...textOf(page).matchAll(/`((?:assembly|deploy|shim|src|test|tools)\/[\w./-]+)`/g)].map(
      ([, file = ""]) => file,
    );
    expect(named.filter((file) => !fs.existsSync(path.join(root, file)))).toEqual([]);
  });
});

it("leaves no page that nothing leads to from the README", () => {
  const seen = new Set<string>();
  function follow(page: string): void {
    if (seen.has(page)) return;
    seen.add(page);
    for (const [, link = ""] of withoutCode(textOf(page)).matchAll(/\]\(([^)\s#]+\.md)[^)]*\)/g)) {
      if (!/^[a-z]+:/.test(link)) follow(path.join(path.dirname(page), link));
    }
  }
  follow("README.md");
  expect(pages.filter((page) => !seen.has(page))).toEqual([]);
});
