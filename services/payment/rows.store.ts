/** The one row that a statement on a locked or new row gives back. @throws Error when it gave none: a defect, never a refusal */
export function theOnly<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined) throw new Error('a row that must be there is not');
  return row;
}
