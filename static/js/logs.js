/* The download follows the filters, which change the address without a new page. */
document.addEventListener("htmx:pushedIntoHistory", () => {
  for (const link of document.querySelectorAll("[data-download]")) link.href = link.dataset.download + location.search;
});
