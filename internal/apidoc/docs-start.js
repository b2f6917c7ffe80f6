"use strict";
const api = document.getElementById("api");
const documents = Array.from(api.children, (d) => ({ name: d.dataset.name, url: d.dataset.path }));
const show = (url) => SwaggerUIBundle({ url, domNode: view, deepLinking: false, validatorUrl: null });
const view = document.createElement("div");
if (documents.length > 1) {
  const choice = document.createElement("select");
  choice.setAttribute("aria-label", "Document");
  documents.forEach((d) => choice.add(new Option(d.name, d.url)));
  choice.addEventListener("change", () => show(choice.value));
  api.append(choice);
}
api.append(view);
show(documents[0].url);
