DROP INDEX "booking_requests_unsettled";--> statement-breakpoint
DROP INDEX "bookings_pending";