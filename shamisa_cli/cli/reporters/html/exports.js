// What is written of the marks: a table, lists of names, and a script that writes sidecars. A picture whose name the page
// holds with escapes is in none: no program would find it.
report.exportsOf = (data, marks) => {
  const markOf = ({ path }) => marks.get(path);
  const all = () => data.pictures.filter(markOf);
  const marked = () => all().filter(({ escaped }) => !escaped);
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
  // A spreadsheet runs cells that begin so; an apostrophe makes them text. Whoever reads the table takes one away.
  const isFormula = (text) => data.formulaStarts.some((start) => text.replace(/^'+/, "").startsWith(start));
  const cell = (text) => quoted(isFormula(text) ? `'${text}` : text);

  function csv() {
    const rows = marked().map((picture) => {
      const { verdict = "", stars = "" } = markOf(picture);
      return [cell(picture.path), picture.score ?? "", verdict, stars].join(",");
    });
    return ["path,score,verdict,stars", ...rows, ""].join("\n");
  }

  // A name of the same file that is no option of the program that reads the list.
  const listed = (path) => (/^\s*[-:]/.test(path) ? `./${path}` : path);
  const list = (verdict) => marked().filter((picture) => markOf(picture).verdict === verdict).map(({ path }) => `${listed(path)}\n`).join("");
  const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

  function script() {
    const lines = marked().map((picture) => {
      const { verdict, stars } = markOf(picture);
      const rating = verdict === "reject" ? -1 : stars ?? 0;
      const label = verdict === "reject" ? "Red" : verdict === "keep" ? "Green" : "";
      return `write ${shell(picture.path)} ${rating} ${shell(label)}`;
    });
    return `#!/bin/sh
# Writes the marks of a shamisa report beside the pictures, as XMP sidecar files. Run it where the report was made.
# A sidecar that exists is left as it is.
write() {
  if [ -e "$1.xmp" ]; then echo "$1.xmp exists and was left as it is" >&2; return; fi
  label=""; [ -z "$3" ] || label=" xmp:Label=\\"$3\\""
  printf '%s\\n' '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' \\
    "<rdf:Description rdf:about=\\"\\" xmlns:xmp=\\"http://ns.adobe.com/xap/1.0/\\" xmp:Rating=\\"$2\\"$label/>" \\
    '</rdf:RDF></x:xmpmeta>' > "$1.xmp"
}
${lines.join("\n")}
`;
  }

  const leftOut = () => all().length - marked().length;
  return { csv, script, kept: () => list("keep"), rejected: () => list("reject"), leftOut };
};
