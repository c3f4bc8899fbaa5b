"""Networks: encoders and relational networks, their score maps and their export."""
