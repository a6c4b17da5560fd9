import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { IdParams } from '../../../platform/schemas';
import { TimelineItem } from './people';

/** What the saga of a dispute reads of a booking, beside what notices say. */
export const evidenceOperations = {
  readTimeline: endpoint({
    method: 'get',
    path: '/internal/bookings/{id}/timeline',
    operationId: 'internalBookingTimeline',
    summary: 'What happened to a booking, oldest first',
    access: 'service',
    params: IdParams,
    replies: {
      200: z.object({
        items: z.array(TimelineItem),
        /** What a cancel of it gives back, in English words; empty from a service of before. */
        terms: z.string().default(''),
      }),
    },
  }),
} as const;
