() => ({
  __type__: "update",
  interactive: document.querySelector("[data-testid=train-status]")?.dataset.canTrain === "true",
})
