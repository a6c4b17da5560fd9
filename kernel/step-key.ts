/** The idempotency key of what undoes a step: the step's own key, `<workflowId>/<step>`, with `/undo` behind it. */
export type UndoKey = `${string}/undo`;

/** The key of the undo of the step with this key. */
export function undoKeyOf(stepKey: string): UndoKey {
  return `${stepKey}/undo`;
}

/** Whether a key is that of an undo, and so names the step that it undoes. */
export function isUndoKey(key: string): key is UndoKey {
  return key.endsWith('/undo') && key !== '/undo';
}

/** The key of the step that is undone under this key. */
export function stepKeyOf(key: UndoKey): string {
  return key.slice(0, -'/undo'.length);
}
