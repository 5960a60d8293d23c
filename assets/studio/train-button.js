() => {
  const { canTrain, busy } = document.querySelector("[data-testid=train-status]")?.dataset ?? {};
  return { __type__: "update", interactive: canTrain === "true" || busy === "true" };
}
