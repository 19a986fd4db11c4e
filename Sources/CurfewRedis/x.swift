import NIOSSL
import CHiredis
