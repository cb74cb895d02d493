// Elements of the page. Texts of the data set (classes, file names) are only ever set as text, never
// as HTML.

export const byId = (id) => document.getElementById(id);

/** An element with properties and children, texts among them. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
