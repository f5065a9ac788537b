"""The paper venue: ``pricing`` says what an order gets, ``venue`` keeps its books, ``broker`` speaks the brokers' protocol."""
