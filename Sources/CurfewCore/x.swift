public enum CurfewCore {}
