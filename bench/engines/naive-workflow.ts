import { condition, defineUpdate, setHandler } from '@temporalio/workflow';
import { booking } from '../../workflows/booking';
import type { BookingInput, BookingResult } from '../../workflows/booking.api';
import { onState } from './recorded-steps';

/** Whether the booking is confirmed. The reason of a refusal is the workflow's result. */
export const confirmedUpdate = defineUpdate<boolean, []>('confirmed');

/** The product's saga, whose caller waits for an update to be answered. */
export async function naiveBooking(input: BookingInput): Promise<BookingResult> {
  let confirmed: boolean | undefined;
  setHandler(confirmedUpdate, async () => {
    await condition(() => confirmed !== undefined);
    return confirmed === true;
  });
  onState((state) => {
    if (state === 'Confirmed' || state === 'Compensated') confirmed ??= state === 'Confirmed';
  });
  return booking(input);
}
