"""What people ask of a running connector: where a document stands, what adds up, what is to be decided."""
