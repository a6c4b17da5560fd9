/** Waits for `work`, but for no longer than `ms`: what takes longer goes on unwatched. @throws what `work` throws in time */
export async function withinMs(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms));
  });
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
